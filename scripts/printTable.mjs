/** Prints rows of text under a head, the first column to the left, the others to the right. */
export function printTable(head, body) {
  const widths = head.map((_, i) => Math.max(...[head, ...body].map(row => row[i].length)));
  const line = row => row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  ');
  console.log([line(head), ...body.map(line)].join('\n'));
}
