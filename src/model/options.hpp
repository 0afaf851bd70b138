#pragma once

#include <string>

namespace incipit::model {

/// The deck's section [extract].
struct ExtractOptions {
  std::string layers = "needed";  ///< needed (by the curves) | all | a list as 0,5,15
  std::string dtype = "float32";  ///< float32 | float16, of the residuals in activation files
  bool components =
      false;  ///< also what each block's attention and MLP added, where a space curve's anchor is
};

}  // namespace incipit::model
