/** What a message says where MPI is missing. */
export function howToInstall(platform: NodeJS.Platform): string {
  if (platform === 'darwin') return 'install it with `brew install open-mpi`';
  if (platform === 'linux') {
    return (
      'install it with `apt-get install openmpi-bin` (Debian 13, Ubuntu 25.04 or later), or `dnf install openmpi` and ' +
      '`module load mpi/openmpi-x86_64` (Fedora)'
    );
  }
  return `ranks on ${platform} are not supported: use Linux or macOS`;
}
