{
  description = "FiberLB: the open load balancer for private clouds";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  # The package and the NixOS module come with packaging; this shell has what `npm ci && npm test` needs.
  outputs =
    { nixpkgs, ... }:
    let
      systems = [
        "x86_64-linux"
        "aarch64-linux"
        "x86_64-darwin"
        "aarch64-darwin"
      ];
      eachSystem = f: nixpkgs.lib.genAttrs systems (system: f nixpkgs.legacyPackages.${system});
    in
    {
      devShells = eachSystem (pkgs: {
        default = pkgs.mkShell {
          packages = [
            # npm only: the runtime itself, Node 26, comes through npm (docs/decisions/0001-toolchain.md).
            pkgs.nodejs
            pkgs.git
            pkgs.curl
            pkgs.openssl
          ]
          ++ pkgs.lib.optionals pkgs.stdenv.isLinux [
            pkgs.haproxy
            pkgs.iproute2
            pkgs.nftables
            pkgs.nginx
            pkgs.wrk
          ];
        };
      });
    };
}
