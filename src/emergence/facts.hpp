#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "align/rows.hpp"
#include "emergence/groups.hpp"

namespace incipit::emergence {

/// What the residuals at a site look like, whatever the dictionary (science §5, §6).
struct SiteFacts {
  int64_t distinct = 0;     ///< bitwise distinct vectors among the judge probes
  double norm = 0;          ///< mean norm
  bool degenerate = false;  ///< fewer distinct vectors than 2C, one vector on more than half of a subject's
                            ///< (two or more) probes, or no variance
};
/// `x`: the judge probes, in the order of `judge`.
SiteFacts site_facts(align::Rows x, const JudgeSet& judge);

/// What the rung `rescaled` takes off and divides by (science §7): μ and s of the fit part at a site, with
/// E‖x − μ‖² = s²·d. As sae::Sae::mean and scale. s = 0 for a site without variance.
struct SiteScale {
  std::vector<float> mean;
  float scale = 0;
};
SiteScale site_scale(align::Rows fit);

}  // namespace incipit::emergence
