/**
 * The parts of a benchmark that `--only` names, in its order.
 *
 * @throws Error - for a part that there is not, with those that there are
 */
export function partsOf<Part extends string>(only: string, known: readonly Part[]): Part[] {
  return only.split(',').map(name => {
    const part = known.find(one => one === name);
    if (part === undefined) throw new Error(`--only ${only}: no part '${name}'; there are ${known.join(', ')}`);
    return part;
  });
}
