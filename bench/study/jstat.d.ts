/** What is used of jstat, which has no types of its own. */
declare module 'jstat' {
  export const studentt: {
    /** P(T <= t) of Student's t distribution. */
    cdf(t: number, degreesOfFreedom: number): number;
    inv(p: number, degreesOfFreedom: number): number;
  };
}
