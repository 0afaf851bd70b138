#pragma once

#include <vector>

namespace incipit::emergence {

/// What `of(item, values)` puts behind `values` for each item in turn.
template <class T, class Item, class Of>
std::vector<T> of_each(const std::vector<Item>& items, const Of& of) {
  std::vector<T> values;
  for (const Item& item : items) of(item, values);
  return values;
}

/// A row of each item, one behind the other.
template <class T, class Item>
std::vector<T> joined_rows(const std::vector<Item>& items, std::vector<T> Item::*row) {
  return of_each<T>(items, [row](const Item& item, std::vector<T>& out) {
    out.insert(out.end(), (item.*row).begin(), (item.*row).end());
  });
}

}  // namespace incipit::emergence
