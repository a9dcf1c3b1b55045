/**
 * Drops branch i with probability `rates[i]` exactly, and so that the FLOPs dropped differ from their mean by less than
 * one branch in every draw: steps take the same time and memory.
 *
 * Two undecided branches at a time trade FLOPs, one up and the other down, until one of them is decided; the direction is
 * random with odds that leave both means as they are. The last undecided one is drawn alone.
 *
 * Source: the pivotal method, Deville and Tillé, Biometrika 85 (1998), with masses in place of counts.
 *
 * @param order - permutation of the branches: who meets whom. A random one keeps neighbours from being tied to each other
 */
export function pivotalDraw(
  rates: readonly number[],
  uniforms: readonly number[],
  flops: readonly number[],
  order: readonly number[],
): boolean[] {
  const chance = [...rates];
  let open: number | undefined;
  let spareUniform = 0;
  for (const i of order) {
    if (chance[i] === 0 || chance[i] === 1) continue;
    if (flops[i] === 0) chance[i] = uniforms[i]! < chance[i]! ? 1 : 0;
    else if (open === undefined) {
      open = i;
      spareUniform = uniforms[i]!;
    } else open = trade(chance, flops, open, i, uniforms[i]!);
  }
  if (open !== undefined) chance[open] = spareUniform < chance[open]! ? 1 : 0;
  return chance.map(value => value === 1);
}

/** Decides `i` or `j` or both, and returns the one that is still open. */
function trade(chance: number[], flops: readonly number[], i: number, j: number, uniform: number): number | undefined {
  const up = Math.min((1 - chance[i]!) * flops[i]!, chance[j]! * flops[j]!);
  const down = Math.min(chance[i]! * flops[i]!, (1 - chance[j]!) * flops[j]!);
  const [winner, loser] = uniform * (up + down) < down ? [i, j] : [j, i];
  const room = (1 - chance[winner]!) * flops[winner]!;
  const offer = chance[loser]! * flops[loser]!;
  chance[winner] = room <= offer ? 1 : Math.min(1, chance[winner]! + offer / flops[winner]!);
  chance[loser] = offer <= room ? 0 : Math.max(0, chance[loser]! - room / flops[loser]!);
  return [winner, loser].find(k => chance[k] !== 0 && chance[k] !== 1);
}
