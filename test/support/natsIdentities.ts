/** Whom a broker may know beside names with passwords: an nkey, and the chain of operator, account and user of decentralized JWTs. */

import { nkeys } from 'nats'

interface KeyPair {
  readonly getPublicKey: () => string
  readonly getSeed: () => Uint8Array
  readonly sign: (data: Uint8Array) => Uint8Array
}

type Create = 'createAccount' | 'createOperator' | 'createUser'
const { createAccount, createOperator, createUser } = nkeys as Readonly<Record<Create, () => KeyPair>>

const seedOf = (pair: KeyPair): string => new TextDecoder().decode(pair.getSeed())

export const createNkey = (): { readonly publicKey: string; readonly seed: string } => {
  const pair = createUser()
  return { publicKey: pair.getPublicKey(), seed: seedOf(pair) }
}

const base64 = (data: Uint8Array | string): string => Buffer.from(data).toString('base64url')

const jwt = (issuer: KeyPair, subject: KeyPair, nats: object): string => {
  const claims = {
    jti: 'of-a-test', iat: Math.floor(Date.now() / 1_000), iss: issuer.getPublicKey(), sub: subject.getPublicKey(), name: 'test',
    nats: { ...nats, version: 2 },
  }
  const signed = `${base64(JSON.stringify({ typ: 'JWT', alg: 'ed25519-nkey' }))}.${base64(JSON.stringify(claims))}`
  return `${signed}.${base64(issuer.sign(new TextEncoder().encode(signed)))}`
}

export interface Chain {
  /** Of the broker. */
  readonly config: string
  /** The content of a credentials file. */
  readonly creds: string
}

export const createChain = (): Chain => {
  const [operator, account, user] = [createOperator(), createAccount(), createUser()]
  const limits = { subs: -1, data: -1, payload: -1, imports: -1, exports: -1, wildcards: true, conn: -1, leaf: -1 }
  const accountJwt = jwt(operator, account, { type: 'account', limits })
  const userJwt = jwt(account, user, { type: 'user', pub: {}, sub: {}, subs: -1, data: -1, payload: -1 })
  return {
    config: `operator: ${jwt(operator, operator, { type: 'operator' })}\nresolver: MEMORY\n`
      + `resolver_preload: { ${account.getPublicKey()}: ${accountJwt} }\n`
      // The first signature of a process may take longer than the usual two seconds on a busy machine.
      + 'authorization: { timeout: 20 }\n',
    creds: `-----BEGIN NATS USER JWT-----\n${userJwt}\n------END NATS USER JWT------\n\n`
      + `-----BEGIN USER NKEY SEED-----\n${seedOf(user)}\n------END USER NKEY SEED------\n`,
  }
}
