// Bundlers for browsers stop at Node's modules inside the library, so its name must not be one that they can read.
const name = ['@huggingface', 'hub'].join('/');

/** The library of the Hugging Face hub, loaded when it is needed. */
export async function hubLibrary(): Promise<typeof import('@huggingface/hub')> {
  return (await import(/* webpackIgnore: true */ /* @vite-ignore */ name)) as typeof import('@huggingface/hub');
}
