/** What is used of jstat, which has no types of its own. */
declare module 'jstat' {
  const jStat: {
    studentt: {
      /** P(T <= t) of Student's t distribution. */
      cdf(t: number, degreesOfFreedom: number): number;
    };
  };
  export default jStat;
}
