/** Why a file that was named cannot be read, in words. */
export function whyUnread({ code, message }: NodeJS.ErrnoException): string {
  switch (code) {
    case 'ENOENT':
      return 'there is no such file';
    case 'EISDIR':
      return 'it is a folder';
    case 'EACCES':
    case 'EPERM':
      return 'this account may not read it';
    case undefined:
    default:
      return code ?? message;
  }
}
