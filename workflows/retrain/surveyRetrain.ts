import { proxyActivities } from '@temporalio/workflow';
import { inference } from '../profiles.ts';
import type { RetrainSurveyActivities, Survey, SurveyInput } from './retrainTypes.ts';

/** What a pipeline would do if it ran now, found out by those that would do it; nothing is made. */
export async function surveyRetrain(input: SurveyInput & { heartbeatTimeoutS: number }): Promise<Survey> {
  const { heartbeatTimeoutS, ...survey } = input;
  const device = proxyActivities<RetrainSurveyActivities>(inference(heartbeatTimeoutS));
  return device.surveyRetrain(survey);
}
