import type { ChatMessage, ChatTemplate, Dataset } from '@dropbp/data';

/**
 * What text samples begin with where no prompt was given: the first words of a text, the prompt of a completion, or a
 * conversation up to the first answer.
 */
export async function defaultPrompt(dataset: Dataset, chatTemplate: ChatTemplate | undefined): Promise<string> {
  for await (const { sample } of dataset.rows()) {
    if (sample.kind === 'completion') return sample.prompt;
    if (sample.kind === 'text') return sample.text.trimStart().split(/\s+/, 5).join(' ');
    const answer = sample.messages.findIndex(({ role }) => role === 'assistant');
    const messages = answer === -1 ? sample.messages : sample.messages.slice(0, answer);
    if (messages.length > 0) return asChat(messages, chatTemplate!);
  }
  return '';
}

/** What a model that was trained to chat reads before it answers. */
export function asChat(
  messages: readonly ChatMessage[],
  chatTemplate: ChatTemplate,
  tools: readonly unknown[] = [],
): string {
  return chatTemplate.render(messages, { addGenerationPrompt: true, tools });
}
