type List = Readonly<Record<string, readonly (readonly [message: RegExp, reason: string])[]>>;

/** What we refuse and Python takes, by our message, with the reason. Whatever else it is that we refuse is a finding. */
const stricter: List = {
  tokenizer: [
    [/expected no such key|and no other key|that is not usable; got ""; expected a text that is not empty/, 'Rust passes over keys that it does not know, some of which misspell one that it does'],
    [/has an? (pre_tokenizer|normalizer|decoder|post_processor|model)[.\w[\]]* that is not supported/, 'a part that no tokenizer of a supported model has: Unigram, Precompiled, …'],
    [/has a (Replace decoder with pattern|Split with (behavior|invert|pattern)|Metaspace behind another pre_tokenizer, with prepend_scheme|added token with single_word|model\.(dropout|continuing_subword_prefix|end_of_word_suffix)) that is not supported/, 'a setting that no byte-pair encoding of a supported model has'],
    [/a regular expression that is not known to take little time/, 'an expression that may take time without a limit'],
    [/not a single token with its own id|an id that Python/, 'Python gives such a token another id than the file says'],
    [/the key .* twice in one object/, 'Rust takes the last of two keys in some objects, and refuses them in others'],
    [/has two tokens with one id/, 'of two tokens one could not be decoded'],
    [/a template that does not hold (the text|each text of a pair) once/, 'Python leaves a text out, or takes it twice'],
    [/has a post_processor\S* that is not usable; got (\[.*expected an object|.*expected as many ids as tokens)/, 'serde takes a list for an object, and a token of a template that has no part in it is not looked at'],
    [/has a post_processor\S* that is not usable; got .*expected (true or false|the key (trim_offsets|add_prefix_space))/, 'Python takes a RobertaProcessing with other fields for a BertProcessing'],
    [/has several templates/, 'Python ends the process at most second templates'],
    [/has a model.unk_token that is not in the vocabulary/, 'Python says so when a text holds an unknown word'],
    [/expected an integer from 0 to 200/, 'words so long that their pieces take long to find'],
    [/an added token that the normalizer leaves nothing of/, 'Python finds such a token between any two characters'],
    [/a normalizer that makes texts too long/, 'a text that grows without a limit'],
  ],
  template: [
    [/the (filter|test|format|escape|field|method|member) .* is not supported|\{% \w+ %\} is not supported|\((cycler|joiner|lipsum) is not supported/, 'a part of Jinja2 that no template of a model uses'],
    [/(members|parts?) of a text marked by 'safe' (is|are) not supported|replace is not supported for a text marked/, 'Python escapes what joins such a text'],
    [/(several attributes|round to tens|round|title|isdigit\(\)|the title case of .*|index\(\) within a part of a list|find\(\) within a part of a text|parts of a range|a precision of .*|(a width|an indent|more than) [\w ]*|a part of a text marked by .*) (is|are) not supported/, 'an argument that no template of a model gives'],
    [/has no parts/, 'Jinja2 computes a part of a constant beforehand, and passes over what is wrong with it'],
    [/\((int|float|bool|None|a macro|namespace) is not a list or the like\)/, 'Python looks at a list only when its items are asked for'],
    [/has no text|needs a dict|has no length|truncate needs a text/, 'Python writes where in memory an object lies, or takes a method for a value'],
  ],
  parquet: [
    [/stands there twice|of another type|is missing|not UTF-8/, 'Thrift takes the last of two fields, and passes over one of another type'],
    [/a run of no such length|a page of no such size|levels in another encoding|metadata and its data differ|does not match header|columns that are not those of the schema|row group \d+ claims -?\d+ rows|a column of another length|metadata of no known type|metadata that ends too early|a page of more values|a dictionary in another encoding|unsupported page type|is no Parquet file that can be read, from row \d+ on \(a page without a header/, 'what no writer writes'],
  ],
  safetensors: [
    [/is not described by an object/, 'serde takes a list for an object, in the order of its fields'],
    [/names .* twice/, 'of two tensors of one name one would vanish'],
  ],
  adapter: [
    [/has a key that is not known/, 'a key that nobody knows may change what is computed'],
    [/(modules_to_save|target_parameters|use_qalora|init_lora_weights|\w+_config|\w+_invocation_tokens|layer_replication|enable_lora|use_bdlora) is not supported: /, 'what PEFT computes there is not implemented, whatever the value'],
    [/does not fit the model/, 'PEFT leaves tensors out that fit nowhere, and draws those that are missing'],
    [/in adapter_config.json is not usable/, 'Python takes a value of another type where it only asks whether it is true'],
  ],
}; // prettier-ignore

/** What we accept and Python refuses, by its message: only where nothing that we read is in question. */
const laxer: List = {
  parquet: [
    [
      /Invalid base64 input|ARROW:schema|Invalid IPC stream|reading schema message|metadata bytes, but only|Corrupted message|flatbuffer/i,
      "pyarrow's own note of its types, which no other reader looks at",
    ],
    [/not enough ColumnOrder values|histogram size mismatch|Unencoded byte array/, 'statistics, which are not read'],
    [/Corrupt ZSTD/, 'checksums within compressed pages, which the unpackers pass over'],
  ],
};

export function isListed(kind: 'stricter' | 'laxer', subject: string, message: string): boolean {
  return ({ stricter, laxer }[kind][subject] ?? []).some(([pattern]) => pattern.test(message));
}
