/** US dollars per million tokens. */
export interface TokenPrices {
  input: number;
  output: number;
}

/** Tokens of questions and of answers. */
export interface Tokens {
  input: number;
  output: number;
}

/** US dollars. */
export const costOf = (tokens: Tokens, prices: TokenPrices): number =>
  (tokens.input * prices.input + tokens.output * prices.output) / 1e6;
