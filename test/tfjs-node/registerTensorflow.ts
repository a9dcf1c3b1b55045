/** Registers the backend of the tfjs-node that build.mjs made. */
export async function registerTensorflow(): Promise<void> {
  // Not a literal: TypeScript would look for a package that the project does not have.
  const tfjsNode = '@tensorflow/tfjs-node';
  await import(tfjsNode);
}
