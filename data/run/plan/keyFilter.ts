import picomatch from 'picomatch';

/**
 * Which keys a run takes: those that match some `include` glob (all, where there is none) and no `exclude` glob.
 * Globs are matched against the key below the source; one without a slash against its last segment, as in .gitignore.
 */
export function keyFilter(include: readonly string[], exclude: readonly string[]): (key: string) => boolean {
  const matches = (globs: readonly string[]) => {
    const tests = globs.map((glob) => picomatch(glob, { dot: true, basename: !glob.includes('/') }));
    return (key: string) => tests.some((test) => test(key));
  };
  const [included, excluded] = [matches(include), matches(exclude)];
  return (key) => (include.length === 0 || included(key)) && !excluded(key);
}
