# Vault on one host. It starts sealed: see README.md for the first start and for the unsealing after each.
#
# TLS: the network `vault` is internal and holds four containers, so the listener speaks plain HTTP there. As soon as
# Vault listens anywhere else, set `tls_cert_file` and `tls_key_file`, and `https` in BANKSMAN_VAULT_ADDRESS.
ui            = false
disable_mlock = true # raft maps its file; the host must not swap, or swap encrypted
cluster_name  = "banksman"
api_addr      = "http://vault:8200"
cluster_addr  = "http://vault:8201"

listener "tcp" {
  address     = "0.0.0.0:8200"
  tls_disable = true
}

storage "raft" {
  path    = "/vault/file"
  node_id = "vault"
}
