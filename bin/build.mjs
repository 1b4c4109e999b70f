/** `npm run build`: compiles the sources into `dist`, whatever is there already. */

import { build } from './bootstrap.mjs'

build()
