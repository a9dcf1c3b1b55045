import { errorCode, problem } from '@dropbp/basics';
import type { AdapterFormat } from '@dropbp/core';

/** Where a method is to be found: its package, loaded when an adapter of the method is. */
interface Place {
  readonly package: string;
  readonly load: () => Promise<AdapterFormat>;
}

const lora: Place = {
  package: '@dropbp/peft-lora',
  load: async () => (await import('@dropbp/peft-lora')).peftFormat,
};
const ia3: Place = {
  package: '@dropbp/peft-ia3',
  load: async () => (await import('@dropbp/peft-ia3')).peftFormat,
};
const prefix = (name: `${'prefixTuning' | 'promptTuning' | 'pTuning' | 'llamaAdapter'}Format`): Place => ({
  package: '@dropbp/peft-prefix',
  load: async () => (await import('@dropbp/peft-prefix'))[name],
});

const places: Readonly<Record<string, Place>> = {
  LORA: lora,
  IA3: ia3,
  PREFIX_TUNING: prefix('prefixTuningFormat'),
  PROMPT_TUNING: prefix('promptTuningFormat'),
  P_TUNING: prefix('pTuningFormat'),
  ADAPTION_PROMPT: prefix('llamaAdapterFormat'),
};

const letters = (name: string): string => name.toUpperCase().replaceAll(/[^A-Z\d]/g, '');

/** The format of a method. @throws Problem if none is known, or its package is not installed */
export async function findFormat(peftType: string, formats: readonly AdapterFormat[]): Promise<AdapterFormat> {
  const given = formats.find(format => format.peftType === peftType);
  if (given !== undefined) return given;
  const place = Object.hasOwn(places, peftType) ? places[peftType] : undefined;
  if (place === undefined) {
    const known = [...new Set([...formats.map(format => format.peftType), ...Object.keys(places)])];
    // A name that only looks like another is another method: VERA and LORA.
    const meant = known.find(name => letters(name) === letters(peftType));
    throw problem('compose', {
      what: `adapters of the method '${peftType}' are not supported`,
      expected: `one of the methods ${known.join(', ')}`,
      fix:
        meant === undefined
          ? 'merge it into its base with PEFT, if the method allows that, and load the merged model'
          : `did you mean ${meant}?`,
    });
  }
  try {
    return await place.load();
  } catch (cause) {
    if (errorCode(cause) !== 'ERR_MODULE_NOT_FOUND') throw cause;
    throw problem('compose', {
      what: `the package of ${peftType} adapters is missing`,
      fix: `npm install ${place.package}`,
      cause,
    });
  }
}
