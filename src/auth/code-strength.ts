/** What a code must have at least, counted by `strengthOf`. */
export const leastStrength = 12;

/** Words that are tried first wherever there is something to guess; the name of the user and its alias are too. */
const words =
  `password passwort passwd passphrase passcode kennwort secret geheim admin administrator root user login
  welcome willkommen letmein changeme change default master guest test testing demo example sample temp temporary hello
  code token device gateway server certificate enrol enroll enrolment enrollment client router sensor system
  network office company service support iloveyou sunshine princess football baseball basketball superman batman
  spiderman starwars pokemon dragon monkey shadow michael jennifer jordan killer trustno whatever freedom internet
  samsung google computer cheese summer winter spring autumn sommer monday friday sunday january february march april
  june july august september october november december correct horse battery staple`
    .trim()
    .split(/\s+/);

/** Lines of keys and of the alphabet, along which codes are made up, in either direction. */
const lines = [
  'abcdefghijklmnopqrstuvwxyz',
  '01234567890',
  'qwertyuiop',
  'qwertzuiop',
  'azertyuiop',
  'asdfghjkl',
  'zxcvbnm',
  'yxcvbnm',
  'qazwsxedcrfvtgbyhnujmikolp',
  '1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p',
  '1q2w3e4r5t6y7u8i9o0p',
  'a1b2c3d4e5f6g7h8i9',
  '!@#$%^&*()',
  '!"§$%&/()=',
].flatMap((line) => [line, Array.from(line).toReversed().join('')]);

/** Digits and signs that stand for letters. */
const disguises: Readonly<Record<string, string>> = {
  '0': 'o',
  '1': 'i',
  '3': 'e',
  '4': 'a',
  '5': 's',
  '7': 't',
  '@': 'a',
  $: 's',
  '!': 'i',
  '|': 'l',
};

/**
 * How many parts somebody must guess who goes through what people think of: a character is one, and so is, as a whole, a
 * common word or one of `names` (also with digits for letters), a piece of three and more along a line of keys or of the
 * alphabet, a character that is repeated, a year, and what stood in the code before. Counts no further than `enough`.
 */
export function strengthOf(code: string, names: readonly string[], enough = leastStrength): number {
  const text = folded(code);
  const plain = text.replace(/[0-9@$!|]/g, (character) => disguises[character] ?? character);
  const known = [...words, ...names.map(folded).filter(({ length }) => length > 2)];
  let strength = 0;
  for (let at = 0; at < text.length && strength < enough; strength += 1) {
    const lengths = [
      wordLength(known, text, at),
      wordLength(known, plain, at),
      lineLength(text, at),
      /^(.)\1+/su.exec(text.slice(at))?.[0].length ?? 1,
      /^(?:19|20)\d\d/.test(text.slice(at)) ? 4 : 1,
      repeatedLength(text, at),
    ];
    at += Math.max(...lengths);
  }
  return strength;
}

/** In one case, and without what makes two spellings of the same. */
function folded(text: string): string {
  return text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase();
}

function wordLength(known: readonly string[], text: string, at: number): number {
  return Math.max(1, ...known.filter((word) => text.startsWith(word, at)).map(({ length }) => length));
}

/** Of the longest piece that goes on as `isKnown` says: one character if it has fewer than three. */
function pieceLength(text: string, at: number, isKnown: (piece: string) => boolean): number {
  let length = 2;
  while (at + length < text.length && isKnown(text.slice(at, at + length + 1))) length += 1;
  return length > 2 ? length : 1;
}

function lineLength(text: string, at: number): number {
  return pieceLength(text, at, (piece) => lines.some((line) => line.includes(piece)));
}

function repeatedLength(text: string, at: number): number {
  return pieceLength(text, at, (piece) => text.slice(0, at).includes(piece));
}
