import type { Command } from './command.ts';
import type { Flags, JsonSchema } from './flag.ts';

/** What a configuration file of a command may hold, for editors: JSON Schema, made from the table of its flags. */
export function configSchema({ name, summary, flags }: Pick<Command, 'name' | 'summary' | 'flags'>): JsonSchema {
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: `Configuration of dropbp ${name}`,
    description: summary,
    type: 'object',
    additionalProperties: false,
    properties: { $schema: { type: 'string' }, ...propertiesOf(flags) },
  };
}

function propertiesOf(flags: Flags): Record<string, JsonSchema> {
  const entries = Object.entries(flags).flatMap(([key, { schema, help, fallback, defaultText, aliases = [] }]) => {
    const description = fallback === undefined && defaultText !== undefined ? `${help} [${defaultText}]` : help;
    const hasDefault = fallback !== undefined && fallback !== '';
    return [
      [key, { ...schema, description, ...(hasDefault && { default: fallback }) }],
      ...aliases.map(alias => [alias, { ...schema, description: `The same as ${key}.` }]),
    ];
  });
  return Object.fromEntries(entries) as Record<string, JsonSchema>;
}
