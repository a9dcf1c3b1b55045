#!/usr/bin/env node
// Outside dist, so that package managers can link the command before it is built.
import '@dropbp/cli/bin';
