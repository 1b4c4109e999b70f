/**
 * What the operating system says of a file that a person has named, in one line: which file, and what stands in the way. That is no bug,
 * and needs no stack.
 */

const reasons: Readonly<Record<string, string>> = {
  EACCES: 'this user may not go there',
  EEXIST: 'something of that name is there already',
  EISDIR: 'it is a folder, where a file is needed',
  ELOOP: 'its links lead in a circle',
  // Of reading, that a file is missing is an answer (storage/localFiles.ts); what is left is a folder to write into.
  ENOENT: 'a folder on the way to it is not there',
  ENOSPC: 'the disk is full',
  ENOTDIR: 'a file stands on the way to it, where a folder is needed',
  EPERM: 'this user may not do that',
  EROFS: 'its file system can only be read',
}

/** A process that can not be started and a socket that can not be reached have a path, too. */
const ofFiles: ReadonlySet<string> = new Set([
  'access', 'close', 'fsync', 'lstat', 'mkdir', 'open', 'read', 'rename', 'rm', 'scandir', 'stat', 'unlink', 'write',
])

/** Null where it is no such failure. */
export const fileTrouble = (error: unknown): string | null => {
  const { code = '', syscall = '', path, message } = (error ?? {}) as NodeJS.ErrnoException
  if (syscall === 'uv_cwd') return 'the folder that this was started in is not there any more'
  return path === undefined || !ofFiles.has(syscall) ? null : `${path}: ${reasons[code] ?? message}`
}
