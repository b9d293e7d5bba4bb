interface Choice {
  /** [batch, patchCount, d] */
  patches: Float32Array;
  /** [categories, d] */
  text: Float32Array;
  batch: number;
  patchCount: number;
  categories: number;
  d: number;
  tau: number;
  alpha: number;
  cap: number;
}

/**
 * For every image and category [batch * categories], whether its choice of patches is further than `margin` from
 * flipping: in the similarity gap across the cut, and in the distance of each cumulative probability from alpha.
 */
export function safeChoices({ patches, text, batch, patchCount, categories, d, tau, alpha, cap }: Choice, margin: number): boolean[] {
  return Array.from({ length: batch * categories }, (_, i) => {
    const [b, c] = [Math.floor(i / categories), i % categories];
    const similarity = Array.from({ length: patchCount }, (_, p) => {
      let sum = 0;
      for (let k = 0; k < d; k++) sum += patches[(b * patchCount + p) * d + k]! * text[c * d + k]!;
      return sum;
    }).sort((x, y) => y - x);
    const weights = similarity.map((value) => Math.exp((value - similarity[0]!) / tau));
    const total = weights.reduce((x, y) => x + y, 0);
    let before = 0;
    let kept = 0;
    let nearest = Infinity;
    for (const weight of weights.slice(0, cap)) {
      nearest = Math.min(nearest, Math.abs(before - alpha));
      if (before < alpha) kept++;
      before += weight / total;
    }
    const gap = kept < patchCount ? similarity[kept - 1]! - similarity[kept]! : Infinity;
    return Math.min(gap, nearest) > margin;
  });
}
