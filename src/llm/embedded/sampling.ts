// How the next token is chosen when a request does not say. Small models are kept greedy with a light penalty on
// repetition, since at this size chance brings more nonsense than variety; larger ones get their makers' mild values.
import type { Sampling } from "./request.ts"
import type { EvaluateOptions, GrammarState, Token } from "./runtime.ts"

const PENALTY_WINDOW_TOKENS = 64
const SMALL_PARAMETERS = 1e9

const GREEDY: Omit<Sampling, "seed"> = { temperature: 0, top_p: 1, top_k: 0, min_p: 0, repeat_penalty: 1.05, frequency_penalty: 0, presence_penalty: 0, dry_multiplier: 0 }
const MILD: Omit<Sampling, "seed"> = { temperature: 0.3, top_p: 0.9, top_k: 40, min_p: 0.05, repeat_penalty: 1.05, frequency_penalty: 0, presence_penalty: 0, dry_multiplier: 0 }

/** `parameters`: of the model; null when its file does not tell. */
export const samplingOf = (wanted: Partial<Sampling>, parameters: number | null): Sampling => ({
  ...(parameters !== null && parameters < SMALL_PARAMETERS ? GREEDY : MILD), seed: 1, ...wanted,
})

/** `generated` is read anew before each token. */
export const evaluateOptions = (sampling: Sampling, generated: ReadonlyArray<Token>, grammar: GrammarState | null): EvaluateOptions => {
  const penalised = sampling.repeat_penalty > 1 || sampling.frequency_penalty > 0 || sampling.presence_penalty > 0
  return {
    temperature: sampling.temperature, topP: sampling.top_p, topK: sampling.top_k, minP: sampling.min_p, seed: sampling.seed >>> 0, yieldEogToken: true,
    ...(grammar === null ? {} : { grammarEvaluationState: () => grammar }),
    ...(penalised ? {
      repeatPenalty: {
        punishTokens: () => generated.slice(-PENALTY_WINDOW_TOKENS), maxPunishTokens: PENALTY_WINDOW_TOKENS,
        penalty: sampling.repeat_penalty, frequencyPenalty: Math.max(0, sampling.frequency_penalty), presencePenalty: Math.max(0, sampling.presence_penalty),
      },
    } : {}),
    ...(sampling.dry_multiplier > 0 ? { dryRepeatPenalty: { strength: sampling.dry_multiplier, allowedLength: 4 } } : {}),
  }
}
