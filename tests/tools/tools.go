// Programs of others that judge this one, pinned by go.mod and go.sum.

//go:build tools

package tools

import _ "github.com/summerwind/h2spec/cmd/h2spec"
