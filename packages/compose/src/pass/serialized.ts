/** Runs asynchronous jobs one after the other, in the order in which they were handed in. */
export function serialized(): <T>(job: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return job => {
    const result = last.then(job);
    last = result.catch(() => undefined); // whoever handed it in hears of its failure
    return result;
  };
}
