/**
 * Has one task at a time, in the order in which they came. MPI mixes up two collective calls that are under way at once, and
 * crashes.
 *
 * A task that fails is followed by the others all the same.
 */
export function oneAtATime(): <Result>(task: () => Promise<Result>) => Promise<Result> {
  let last: Promise<unknown> = Promise.resolve();
  return task => {
    const result = last.then(task, task);
    last = result.catch(() => undefined);
    return result;
  };
}
