export type LauncherErrorCode =
  | 'launcher.owner_file'
  | 'launcher.message'
  | 'launcher.mount'
  | 'launcher.slot'
  | 'launcher.cgroup';

export class LauncherError extends Error {
  readonly code: LauncherErrorCode;
  constructor(code: LauncherErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'LauncherError';
    this.code = code;
  }
}
