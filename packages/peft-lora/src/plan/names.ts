// Names below a module's path. Those of parameters are PEFT's.

export const LORA_A = 'lora_A.weight';
export const LORA_B = 'lora_B.weight';
/** The bias of B. */
export const LORA_BIAS = 'lora_B.bias';
export const EMBEDDING_A = 'lora_embedding_A';
export const EMBEDDING_B = 'lora_embedding_B';
/** DoRA's magnitude of each output. */
export const MAGNITUDE = 'lora_magnitude_vector';
/** The trained rows of a table. */
export const ROWS = 'token_adapter.trainable_tokens_delta';

// What follows is read by the hooks and never stored.

export const SCALING = 'lora_scaling';
/** The entries of an input that dropout keeps. */
export const KEPT = 'lora_dropout';
/** What an initialisation took out of the base: A, and B times the negative scaling. */
export const START_A = 'lora_start_A';
export const START_B = 'lora_start_B';
/** The squared norm of each output's weights, for DoRA. */
export const SQUARES = 'lora_weight_squares';
/** For each entry of a table, the number of its trained row; their count where there is none. */
export const ROW_NUMBERS = 'token_adapter.row_numbers';
/** The entries that are trained. */
export const ROW_INDICES = 'token_adapter.row_indices';
