/** The message of whatever was thrown. */
export function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Says which part of the configuration an error is about. */
export async function withContext<Value>(context: string, promise: Promise<Value>): Promise<Value> {
  try {
    return await promise;
  } catch (error) {
    throw new Error(`${context}: ${textOf(error)}`, { cause: error });
  }
}
