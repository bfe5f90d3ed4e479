import { RefusedQuestion } from "./errors.ts";
import type { Answer, JournalQuestion, Question, StatusQuestion, UsageQuestion } from "./messages.ts";

/**
 * What an agent can answer. Each is asked for one answer after the other, and told by the signal, or by `return`, that no
 * more is wanted. A RefusedQuestion is told to the asker as such, any other error as a failure.
 */
export interface Verbs {
  journal(question: JournalQuestion, signal: AbortSignal): AsyncIterable<Answer>;
  status(question: StatusQuestion, signal: AbortSignal): AsyncIterable<Answer>;
  usage(question: UsageQuestion, signal: AbortSignal): AsyncIterable<Answer>;
}

/** A question that this agent has no verb for. */
export class UnknownVerb extends RefusedQuestion {}

/**
 * The answers to a question.
 *
 * @throws UnknownVerb
 */
export function answersTo(verbs: Verbs, question: Question, signal: AbortSignal): AsyncIterable<Answer> {
  if (question.journal !== undefined) return verbs.journal(question.journal, signal);
  if (question.status !== undefined) return verbs.status(question.status, signal);
  if (question.usage !== undefined) return verbs.usage(question.usage, signal);
  throw new UnknownVerb("the agent of this machine does not know such a question: it may be older than the API");
}
