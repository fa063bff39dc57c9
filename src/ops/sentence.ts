/** What a person reads of anything thrown: plain words, never a stack. */
export function sentenceOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const system = systemErrorOf(error);
  const plain = system && plainWords(system);
  // The outer message may say which part of the configuration it is about.
  return plain === undefined ? error.message : error.message.replace(system?.message ?? '', () => plain);
}

/** What Node adds to an error of the operating system. */
interface SystemError extends NodeJS.ErrnoException {
  readonly address?: string;
  readonly port?: number;
}

function systemErrorOf(error: Error): SystemError | undefined {
  if ('syscall' in error) return error as SystemError;
  return error.cause instanceof Error ? systemErrorOf(error.cause) : undefined;
}

function plainWords({ syscall, code, path, address, port }: SystemError): string | undefined {
  if (syscall === 'listen') return listeningProblem(code, address, port);
  if (path !== undefined) return fileProblem(code, path);
  // Node does not say which.
  return code === 'EISDIR' ? 'a path names a folder; expected a file.' : undefined;
}

function listeningProblem(code = '', address = '', port = 0): string | undefined {
  switch (code) {
    case 'EADDRINUSE':
      return `port ${port} is in use; stop the program that uses it, or choose another port.`;
    case 'EACCES':
      return `this user may not listen on port ${port}; choose one above 1023.`;
    case 'EADDRNOTAVAIL':
      return `${address} is no address of this machine; "::" means all of them.`;
    default:
      return undefined;
  }
}

function fileProblem(code = '', path = ''): string | undefined {
  switch (code) {
    case 'ENOENT':
      return `${path}: there is no such file or folder.`;
    case 'EEXIST':
    case 'ENOTEMPTY':
      return `${path} exists already; nothing is overwritten.`;
    case 'EACCES':
    case 'EPERM':
      return `${path}: this user may not do that; check the owner and the mode.`;
    case 'ENOTDIR':
      return `${path}: a part of this path is a file, not a folder.`;
    case 'EISDIR':
      return `${path}: this is a folder; expected a file.`;
    default:
      return undefined;
  }
}
