#pragma once

#include <string>

namespace incipit::model {

/// The deck's section [extract].
struct ExtractOptions {
  std::string layers = "needed";  ///< needed (by the curves) | all | a list as 0,5,15
  std::string dtype = "float32";  ///< float32 | float16, of the residuals in activation files
  bool components = false;  ///< also what each block's attention and MLP added, at anchors of space curves
  bool loss = false;        ///< also the probes' mean next-token loss at every checkpoint of the curves
};

}  // namespace incipit::model
