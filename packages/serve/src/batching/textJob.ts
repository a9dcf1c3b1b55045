import type { GenerateOptions } from '@dropbp/models';
import type { ServedModel } from '../model/served.ts';
import type { TokenChannel } from './tokenChannel.ts';

/** A text to go on with. */
export interface TextJob {
  readonly model: ServedModel;
  readonly tokens: readonly number[];
  readonly options: GenerateOptions & { readonly maxNewTokens: number };
  /** Says that whoever asked has left. */
  readonly signal: AbortSignal;
}

/** A text with the way its tokens take. */
export interface QueuedText extends TextJob {
  readonly channel: TokenChannel;
}
