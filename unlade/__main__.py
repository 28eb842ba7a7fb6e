import sys

from unlade.standalone.__main__ import main

sys.exit(main())
