// Package schema has what Vault is asked for and answers.
package schema

// These are questions and answers.
type (
	AppRoleLoginRequest struct{ RoleId, SecretId string }
	KvV2WriteRequest    struct {
		Data, Options map[string]any
	}
	KvV2WriteMetadataRequest struct{ DeleteVersionAfter string }
	KvV2ReadResponse         struct{ Data, Metadata map[string]any }
	StandardListResponse     struct{ Keys []string }
)
