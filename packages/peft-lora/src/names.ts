// Names below a module's path, those of the parameters as in PEFT.
export const LORA_A = 'lora_A.weight';
export const LORA_B = 'lora_B.weight';
export const SCALING = 'lora_scaling';
export const KEPT = 'lora_dropout';

/** What PEFT puts before a module's path. */
export const PREFIX = 'base_model.model.';
