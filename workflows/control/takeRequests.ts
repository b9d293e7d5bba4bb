import { ApplicationFailure, setHandler } from '@temporalio/workflow';
import type { ControlChange } from '../../data/run/atWork/controls.ts';
import {
  cancelUpdate,
  pauseSignal,
  pauseUpdate,
  resumeSignal,
  resumeUpdate,
  setSignal,
  setUpdate,
  type Asked,
  type ControlsInForce,
  type PauseAnswer,
  type ResumeAnswer,
} from './requests.ts';

/** Requests that are remembered by their ids; the same one comes again within a minute or never. */
const REMEMBERED = 32;

/** Who asks without saying anything, as Temporal's own tools do: a request that cannot be read would stop the run. */
const NOBODY: Asked = { id: '', by: '' };

/** A run that takes requests, each method called once per request. */
export interface Controllable {
  /** Whether what is left is not worth a pause: it is refused then. */
  isEnding(): boolean;
  /** Resolves once nothing new is started (or, of rounds and stages, will not be after the one at work). */
  pause(asked: Asked): Promise<PauseAnswer>;
  resume(asked: Asked & ControlChange): Promise<ResumeAnswer>;
  /** Resolves once the settings hold. */
  set(asked: Asked & ControlChange): Promise<void>;
  /** Settings in force; null: a run of this kind has none such. */
  inForce(): ControlsInForce;
  inHand(): number;
}

/** Has a run take the requests of `requests.ts`; to be called before the run waits for anything. */
export function takeRequests(run: Controllable): void {
  const taken: string[] = [];
  const isNew = ({ id }: Asked): boolean => {
    if (id === '') return true;
    if (taken.includes(id)) return false;
    taken.push(id);
    if (taken.length > REMEMBERED) taken.shift();
    return true;
  };
  const pause = (asked: Asked = NOBODY): Promise<PauseAnswer> =>
    isNew(asked) ? run.pause(asked) : Promise.resolve({ isPaused: false, inHand: run.inHand(), child: null });
  const resume = (asked: Asked & ControlChange = NOBODY): Promise<ResumeAnswer> =>
    isNew(asked) ? run.resume(asked) : Promise.resolve({ wasPaused: null, child: null });
  const set = async (asked: Asked & ControlChange = NOBODY): Promise<ControlsInForce> => {
    if (isNew(asked)) await run.set(asked);
    return run.inForce();
  };

  const isWorthIt = (_: Asked): void => {
    if (run.isEnding()) throw refusal('Run.Ending', 'has nothing left to start that a pause could hold back');
  };

  setHandler(pauseUpdate, pause, { validator: isWorthIt });
  setHandler(pauseSignal, async (asked) => {
    if (!run.isEnding()) await pause(asked);
  });
  setHandler(resumeUpdate, resume, { validator: checkValues });
  setHandler(resumeSignal, async (change) => {
    await resume(change);
  });
  setHandler(setUpdate, set, { validator: checkValues });
  setHandler(setSignal, async (change) => {
    await set(change);
  });
  // Who is behind it is in the run's history.
  setHandler(cancelUpdate, () => ({ inHand: run.inHand() }));
}

/** Throws `Run.BadSetting`. */
function checkValues({ concurrency, maxFailureRate }: ControlChange = {}): void {
  if (concurrency !== undefined && !(Number.isInteger(concurrency) && concurrency >= 1))
    throw refusal('Run.BadSetting', `cannot have ${concurrency} as concurrency: a whole number from 1`);
  if (maxFailureRate !== undefined && !(maxFailureRate >= 0 && maxFailureRate <= 1))
    throw refusal('Run.BadSetting', `cannot have ${maxFailureRate} as maxFailureRate: a share from 0 to 1`);
}

/** The message is the end of a sentence whose subject is the run. */
const refusal = (type: string, message: string): ApplicationFailure =>
  ApplicationFailure.create({ type, message, nonRetryable: true });
