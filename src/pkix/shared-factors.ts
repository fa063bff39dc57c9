import { greatestCommonDivisor } from './weak-keys.ts';

/**
 * Those of different RSA moduli that have a prime in common with another one, so that anybody who knows both computes
 * the private keys; devices make such keys that have too little randomness when they start for the first time. By the
 * batch method of Bernstein, as Heninger and others used it (2012), in time that grows little faster than the number of
 * moduli. Throws RangeError when the product of all has more than 2^30 bits.
 */
export function findSharedFactors(moduli: readonly bigint[]): readonly bigint[] {
  const [top, ...below] = productTree(moduli).toReversed();
  let remainders = top ?? [];
  for (const products of below) remainders = remaindersBelow(remainders, products);
  return moduli.filter((modulus, at) => {
    const rest = remainders[at];
    return rest !== undefined && greatestCommonDivisor(modulus, rest / modulus) > 1n;
  });
}

/** The moduli, the products of two each, of four each, and so on up to the product of all. */
function productTree(moduli: readonly bigint[]): readonly (readonly bigint[])[] {
  const levels = [moduli];
  for (let level = moduli; level.length > 1; levels.push(level)) {
    level = level.flatMap((product, at) => (at % 2 === 0 ? [product * (level[at + 1] ?? 1n)] : []));
  }
  return levels;
}

/** What the product of all leaves modulo the square of each product, from what it left one level above. */
function remaindersBelow(above: readonly bigint[], products: readonly bigint[]): readonly bigint[] {
  return products.map((product, at) => (above[Math.floor(at / 2)] ?? 0n) % product ** 2n);
}
