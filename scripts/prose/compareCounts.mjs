/**
 * Findings of each file beside those that it may have: lines that say what is wrong, and the exceptions lowered to what there is. A
 * file that has more keeps its old number, so that lowering never lets more through.
 */
export function compareCounts(counts, allowed) {
  const wrong = [];
  const lowered = {};
  for (const file of [...new Set([...Object.keys(allowed), ...Object.keys(counts)])].sort()) {
    const [has, may] = [counts[file] ?? 0, allowed[file] ?? 0];
    if (has > may)
      wrong.push(
        `${file} has ${has} findings and may have ${may}: node scripts/checkProse.mjs --list ${file} shows them`,
      );
    if (has < may)
      wrong.push(
        `${file} has ${has} findings and may have ${may}: take the rest off by node scripts/checkProse.mjs --lower`,
      );
    const least = Math.min(has, may);
    if (least > 0) lowered[file] = least;
  }
  return { wrong, lowered };
}
