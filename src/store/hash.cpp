#include "store/hash.hpp"

#include <fcntl.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "error.hpp"

namespace incipit::store {

namespace {

void check_digest(int ok) {
  if (ok != 1) throw Error(Exit::defect, "OpenSSL cannot compute SHA-256");
}

class OpenFile {
 public:
  explicit OpenFile(const std::filesystem::path& path)
      : descriptor_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (descriptor_ < 0) {
      throw Error(Exit::io, "cannot open " + path.string() + ": " + std::strerror(errno));
    }
  }
  ~OpenFile() { ::close(descriptor_); }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  [[nodiscard]] int get() const { return descriptor_; }

 private:
  int descriptor_;
};

}  // namespace

struct Sha256::Context {
  struct Free {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  std::unique_ptr<EVP_MD_CTX, Free> digest{EVP_MD_CTX_new()};
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {
  check_digest(EVP_DigestInit_ex(context_->digest.get(), EVP_sha256(), nullptr));
}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(std::span<const std::byte> bytes) {
  check_digest(EVP_DigestUpdate(context_->digest.get(), bytes.data(), bytes.size()));
}

std::string Sha256::hex() const {
  // Finished on a copy, so that more bytes may follow.
  const decltype(context_->digest) copy(EVP_MD_CTX_new());
  check_digest(EVP_MD_CTX_copy_ex(copy.get(), context_->digest.get()));
  std::array<unsigned char, 32> raw{};
  check_digest(EVP_DigestFinal_ex(copy.get(), raw.data(), nullptr));
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const unsigned char byte : raw) {
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text;
}

std::string sha256(std::string_view text) {
  Sha256 hash;
  hash.update(text);
  return hash.hex();
}

std::string sha256_file(const std::filesystem::path& path) {
  const OpenFile file(path);
  std::vector<std::byte> piece(std::size_t{4} << 20);
  Sha256 hash;
  for (off_t offset = 0;;) {
    const ssize_t got = ::pread(file.get(), piece.data(), piece.size(), offset);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      throw Error(Exit::io, "cannot read " + path.string() + " at byte " + std::to_string(offset) + ": " +
                                std::strerror(errno));
    }
    if (got == 0) return hash.hex();
    hash.update(std::span(piece.data(), static_cast<std::size_t>(got)));
    offset += got;
  }
}

}  // namespace incipit::store
