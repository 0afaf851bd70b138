#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace incipit::store {

/// A name beside `path` for the file while it is being made: `.NAME.tmp-HOST-PID-N`. Host and process are
/// part of it so that what a killed job left behind is recognised.
[[nodiscard]] std::filesystem::path temporary_beside(const std::filesystem::path& path);

/// Removes temporary files of `path` whose process is gone from this host. Never throws.
void remove_abandoned(const std::filesystem::path& path) noexcept;

/// The same for every file below a folder, those of other hosts too when nothing was written to them for a
/// day; and locks that are stale (store/lock). Never throws.
void remove_abandoned_below(const std::filesystem::path& folder) noexcept;

/// Seconds since the file was last written or touched, by the clock of its own file system: that of this
/// machine may differ. Nothing when the file is not there. Error io: its folder cannot be written to.
[[nodiscard]] std::optional<double> age_of(const std::filesystem::path& path);

/// Flushes a file or folder to disk. Error io.
void sync_to_disk(const std::filesystem::path& path);

/// sync_to_disk(temporary), rename to `path`, sync the folder. Error io.
void publish(const std::filesystem::path& temporary, const std::filesystem::path& path);

/// The file holds the whole text or what it held before. Error io.
void write_text_atomic(const std::filesystem::path& path, std::string_view text);

/// The whole file. Error io.
[[nodiscard]] std::string read_text(const std::filesystem::path& path);

/// A folder's full path, without a slash at its end: its last part is the folder's name.
[[nodiscard]] std::filesystem::path full_path(const std::filesystem::path& folder);

/// Makes the folder and those above it. Error io: it cannot be made, is no folder, or cannot be written to.
void ensure_folder(const std::filesystem::path& path);

}  // namespace incipit::store
