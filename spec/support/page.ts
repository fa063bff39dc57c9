/** The examples in a page of the documentation: blocks that are indented by four columns, without these. */
export function examplesIn(page: string): readonly string[] {
  const blocks = page.match(/(?<=\n\n)(?: {4}.*\n)+/g) ?? [];
  return blocks.map((block) => block.replaceAll(/^ {4}/gm, ''));
}
