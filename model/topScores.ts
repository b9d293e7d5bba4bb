/**
 * Indices of the `k` highest scores, highest first; equal scores: the lower index first. Takes O(n log k) and one array
 * of `k`: the scores are never sorted.
 *
 * @param scores [n] without NaN.
 * @param k fewer come back where there are fewer candidates.
 * @param minimums [n] where given, only indices whose score is at least their minimum are candidates.
 */
export function topScores(scores: Float32Array, k: number, minimums?: Float32Array): Int32Array {
  const kept = new Int32Array(Math.min(k, scores.length));
  let size = 0;
  // A heap of the best so far whose root is the worst of them. Candidates come by rising index, so one that equals
  // the root ranks after it.
  for (let i = 0; i < scores.length; i++) {
    const score = scores[i]!;
    if (minimums !== undefined && !(score >= minimums[i]!)) continue;
    if (size < kept.length) {
      kept[size] = i;
      siftUp(scores, kept, size++);
    } else if (size > 0 && score > scores[kept[0]!]!) {
      kept[0] = i;
      siftDown(scores, kept, size);
    }
  }
  return kept.subarray(0, size).sort((a, b) => scores[b]! - scores[a]! || a - b);
}

/** Whether index `a` ranks after index `b`. */
function after(scores: Float32Array, a: number, b: number): boolean {
  const x = scores[a]!;
  const y = scores[b]!;
  return x < y || (x === y && a > b);
}

function siftUp(scores: Float32Array, heap: Int32Array, at: number): void {
  const index = heap[at]!;
  while (at > 0) {
    const parent = (at - 1) >> 1;
    if (!after(scores, index, heap[parent]!)) break;
    heap[at] = heap[parent]!;
    at = parent;
  }
  heap[at] = index;
}

function siftDown(scores: Float32Array, heap: Int32Array, size: number): void {
  const index = heap[0]!;
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= size) break;
    if (child + 1 < size && after(scores, heap[child + 1]!, heap[child]!)) child++;
    if (!after(scores, heap[child]!, index)) break;
    heap[at] = heap[child]!;
    at = child;
  }
  heap[at] = index;
}
