export default {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': ['@swc/jest', {
      jsc: { target: 'es2023', parser: { syntax: 'typescript' } },
      module: { type: 'es6' },
      sourceMaps: 'inline',
    }],
  },
  coverageProvider: 'v8',
  collectCoverageFrom: ['{actors,bus,storage,topology}/**/*.ts'],
  coverageDirectory: 'coverage',
  testTimeout: 30000,
  workerIdleMemoryLimit: '512MB',
}
