/** `'learningRate'` → `'--learning-rate'`. */
export function flagName(key: string): string {
  return `--${key.replaceAll(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)}`;
}
