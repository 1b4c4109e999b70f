/**
 * Puts a small file in place as a whole: a temporary name, synced, renamed, and the directory synced. After a crash it is the old one or
 * the new one.
 */

import { writeFully } from './fileWriter.ts'
import type { Done, File, FileSystem } from './fileSystem.ts'

export const replaceFile = (fileSystem: FileSystem, file: { readonly name: string; readonly bytes: Uint8Array }, done: Done): void => {
  const temporary = `${file.name}.tmp`
  fileSystem.remove(temporary, (removeError) => {
    if (removeError !== null && removeError.code !== 'ENOENT') done(removeError)
    else write(fileSystem, { name: temporary, bytes: file.bytes }, (writeError) => {
      if (writeError === null) publish(fileSystem, temporary, file.name, done)
      else done(writeError)
    })
  })
}

const write = (fileSystem: FileSystem, { name, bytes }: { readonly name: string; readonly bytes: Uint8Array }, done: Done): void => {
  fileSystem.open(name, 'create', (openError, file) => {
    if (openError !== null) {
      done(openError)
      return
    }
    writeAndSync(file, bytes, (writeError) => {
      file.close((closeError) => done(writeError ?? closeError))
    })
  })
}

const writeAndSync = (file: File, bytes: Uint8Array, done: Done): void => {
  writeFully(file, { bytes, position: 0 }, (error) => (error === null ? file.datasync(done) : done(error)))
}

const publish = (fileSystem: FileSystem, temporary: string, name: string, done: Done): void => {
  fileSystem.rename(temporary, name, (error) => {
    if (error === null) fileSystem.syncDirectory('', done)
    else done(error)
  })
}
