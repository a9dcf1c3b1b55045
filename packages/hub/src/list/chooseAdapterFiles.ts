import { problem } from '@dropbp/basics';
import { listFiles, tokenizerFiles, type ChosenFiles } from './chooseFiles.ts';
import type { Content } from './content.ts';

const configuration = 'adapter_config.json';
const weights = 'adapter_model.safetensors';

/**
 * An adapter of PEFT's, in the root of a repository or in a folder of it.
 *
 * @throws Problem for a name of a folder that leads elsewhere
 */
export function adapterContent(subfolder: string | undefined): Content {
  if (subfolder !== undefined && !subfolder.split('/').every(part => /^\w[\w.-]*$/.test(part))) {
    throw problem('hub', {
      what: 'subfolder is not usable',
      got: subfolder,
      expected: 'the name of a folder in the repository',
    });
  }
  const at = (file: string): string => (subfolder === undefined ? file : `${subfolder}/${file}`);
  const needed = [configuration, weights].map(at);
  return {
    noun: 'adapter',
    lacking: present => needed.find(file => !present.has(file)),
    choose(available: ReadonlySet<string>, id: string): ChosenFiles {
      if (needed.some(file => !available.has(file))) throw noAdapter(available, id, at);
      const beside = tokenizerFiles.map(at).filter(file => available.has(file));
      return { files: [needed[0]!, ...beside, needed[1]!], index: undefined };
    },
  };
}

function noAdapter(available: ReadonlySet<string>, id: string, at: (file: string) => string): Error {
  const [config, tensors] = [at(configuration), at(weights)];
  const folders = [...available].filter(file => file.endsWith(`/${configuration}`)).map(file => file.slice(0, -configuration.length - 1)); // prettier-ignore
  const isPickle = available.has(config) && available.has(at('adapter_model.bin'));
  const isModel = !available.has(config) && available.has(at('config.json'));
  return problem('hub', {
    what: available.has(config)
      ? `the adapter '${id}' has no weights as safetensors`
      : `there is no adapter in '${id}': ${config} is missing`,
    got: listFiles(available),
    expected: `${config} and ${tensors}`,
    ...(folders.length > 0 && { fix: `give a subfolder: ${folders.slice(0, 5).join(', ')}` }),
    ...(isModel && { fix: 'it is a model, which loadModel() loads' }),
    ...(isPickle && {
      fix: 'adapter_model.bin is a pickle, which can run code: load it with PEFT and save_pretrained() it again',
    }),
  });
}
