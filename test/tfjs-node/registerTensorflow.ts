/** Registers the backend of the tfjs-node that build.mjs made. */
export async function registerTensorflow(): Promise<void> {
  // Not a literal, nor a constant: TypeScript and bundlers would look for a package that the project does not have.
  const tfjsNode = ['@tensorflow', 'tfjs-node'].join('/');
  await import(tfjsNode);
}
