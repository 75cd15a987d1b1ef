'use strict';

/** What a `require` costs at the least. */
